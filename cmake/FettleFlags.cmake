# The compiler and linker flags of every native target: all of them, in one place.
#
# The arithmetic flags are part of the promise "the same bits everywhere":
#   -ffp-contract=off      g++ contracts a*b+c to fma by default; we write an fma where we mean one
#   -fno-math-errno        otherwise sqrt becomes a library call and its loop stays scalar
#   -fno-trapping-math     lets v3 vectorise branches that hold a division; no value changes
# Never -ffast-math (at link time it makes the loader flush denormals in the whole process), and never
# -fno-fast-math either: after -fno-math-errno it turns math-errno back on.

set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 99)
set(CMAKE_C_EXTENSIONS OFF)

set(FETTLE_ARITHMETIC_FLAGS -ffp-contract=off -fno-math-errno -fno-trapping-math)
set(FETTLE_CODE_FLAGS
    -fno-exceptions -fno-rtti -ffunction-sections -fdata-sections
    -fvisibility=hidden -fvisibility-inlines-hidden)
set(FETTLE_WARNING_FLAGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)

if(FETTLE_SANITIZE)
  set(FETTLE_OPTIMISATION_FLAGS
      -O1 -g -fno-omit-frame-pointer -fsanitize=${FETTLE_SANITIZE} -fno-sanitize-recover=all)
else()
  set(FETTLE_OPTIMISATION_FLAGS -O3)
endif()

# What each CPU tier is compiled for. -O3 vectorises; at -O2 g++ 12 leaves these loops scalar.
# g++ 12 warns of its own vector intrinsics, which start from a deliberately undefined register.
set(quiet_intrinsics -Wno-maybe-uninitialized -Wno-uninitialized)
set(FETTLE_MARCH_base -march=x86-64-v2)
set(FETTLE_MARCH_v3 -march=x86-64-v3 ${quiet_intrinsics})
set(FETTLE_MARCH_v4 -march=x86-64-v4 -mprefer-vector-width=512 ${quiet_intrinsics})

# The C++ runtime is linked in, everything but the C ABI is hidden, and the result asks for nothing but glibc.
set(FETTLE_LINK_FLAGS
    -static-libstdc++ -static-libgcc -Wl,--exclude-libs,ALL -Wl,--no-undefined
    -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--gc-sections -Wl,--as-needed)

# Where dlopen is on systems older than glibc 2.34 (see glibc_floor.h); on newer ones an empty library.
set(FETTLE_LIBDL -Wl,--push-state,--no-as-needed,-l:libdl.so.2,--pop-state)

# fettle_flags(target tier): compile flags of one C++ target; tier is base, v3 or v4.
function(fettle_flags target tier)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_include_directories(${target} PRIVATE
      "${PROJECT_SOURCE_DIR}/native/include" "${PROJECT_SOURCE_DIR}/native/src"
      "${PROJECT_BINARY_DIR}/generated")
  target_compile_options(${target} PRIVATE
      ${FETTLE_OPTIMISATION_FLAGS} ${FETTLE_ARITHMETIC_FLAGS} ${FETTLE_CODE_FLAGS}
      ${FETTLE_WARNING_FLAGS} ${FETTLE_MARCH_${tier}})
endfunction()

# fettle_link_flags(target): link flags of one shared library.
function(fettle_link_flags target)
  target_link_options(${target} PRIVATE ${FETTLE_LINK_FLAGS})
  if(NOT FETTLE_SANITIZE)
    target_link_options(${target} PRIVATE -s)
  endif()
endfunction()
