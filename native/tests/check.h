/* The whole test framework: CHECK says what failed and where, finish() gives the exit status. */
#ifndef FETTLE_TESTS_CHECK_H
#define FETTLE_TESTS_CHECK_H

#include <cstdio>

namespace check {

inline int checks = 0;
inline int failures = 0;

inline void that(bool holds, const char* what, const char* file, int line) {
  ++checks;
  if (!holds) {
    ++failures;
    std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  }
}

inline int finish(const char* name) {
  std::printf("%s: %d checks, %d failures\n", name, checks, failures);
  return failures == 0 && checks > 0 ? 0 : 1;
}

}  // namespace check

#define CHECK(condition) check::that((condition), #condition, __FILE__, __LINE__)

#endif
