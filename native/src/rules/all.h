// Every rule's header. A new rule adds its line here and in fettle/rules.def.
#pragma once

#include "rules/adagrad.h"
#include "rules/adam.h"
#include "rules/lamb.h"
#include "rules/lion.h"
#include "rules/rmsprop.h"
#include "rules/sgd.h"
