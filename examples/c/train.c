/* Fits a line through noise-free points with AdamW: Fettle's C ABI without Java.
 *   cc train.c $(pkg-config --cflags --libs fettle) -lm
 */
#include <stdio.h>

#include "adamw.h"

enum { POINTS = 64 };

int main(void) {
  float parameter[2] = {0, 0}, gradient[2], m[2] = {0, 0}, v[2] = {0, 0};
  const int32_t tier = adamw_tier();
  adamw optimizer;
  double loss = 0;
  int step, i;
  if (fettle_abi_version() != FETTLE_ABI_VERSION) {
    fprintf(stderr, "the library is of another version than the header\n");
    return 1;
  }
  if (tier == 0) {
    fprintf(stderr, "this CPU is older than x86-64-v3\n");
    return 1;
  }
  adamw_init(&optimizer, parameter, gradient, m, v, 2, 0.05, 0.0);
  for (step = 0; step < 400; step++) {
    int32_t status;
    double slope = 0, offset = 0;
    loss = 0;
    for (i = 0; i < POINTS; i++) {
      const double x = (double)i / POINTS;
      const double error = parameter[0] * x + parameter[1] - (3.0 * x - 1.0);
      loss += error * error / POINTS;
      slope += 2 * error * x / POINTS;
      offset += 2 * error / POINTS;
    }
    gradient[0] = (float)slope;
    gradient[1] = (float)offset;
    status = fettle_cpu_step(&optimizer.plan, tier);
    if (status != FETTLE_OK) {
      fprintf(stderr, "step %d: %s\n", step, fettle_status_text(status));
      return 1;
    }
  }
  printf("y = %.3f x %+.3f, loss %.1e after %d steps\n", parameter[0], parameter[1], loss, (int)optimizer.tensor.step);
  return loss < 1e-4 && optimizer.tensor.step == 400 ? 0 : 1;
}
