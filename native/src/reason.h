// Reason texts: written into the caller's buffer, cut to its size, always terminated.
#ifndef FETTLE_REASON_H
#define FETTLE_REASON_H

#include <cstdarg>
#include <cstdint>
#include <cstdio>

namespace fettle {

__attribute__((format(printf, 3, 4))) static inline void explain(char* reason, int64_t reason_bytes, const char* format,
                                                                 ...) {
  if (reason == nullptr || reason_bytes <= 0) return;
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(reason, static_cast<size_t>(reason_bytes), format, arguments);
  va_end(arguments);
}

}  // namespace fettle

#endif
