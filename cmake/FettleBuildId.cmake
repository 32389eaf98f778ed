# The build id: a hash of all native sources and headers and of the flags they are compiled with. It is
# compiled into both libraries and put beside the Java classes, which compare it when they load a library:
# JavaCPP's cache may hand out a library of an older build that happens to have the same size and date.

function(fettle_build_id)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}"
       native/include/* native/src/* cuda-kernels/src/* cmake/*.cmake)
  list(APPEND files native/CMakeLists.txt cuda-kernels/CMakeLists.txt)
  list(SORT files)
  set(digest "")
  foreach(file IN LISTS files)
    file(SHA256 "${PROJECT_SOURCE_DIR}/${file}" hash)
    string(APPEND digest "${hash} ${file}\n")
    set_property(DIRECTORY "${PROJECT_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  endforeach()
  string(SHA256 id "${digest}")
  string(SUBSTRING "${id}" 0 16 FETTLE_BUILD_ID)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/build_id.h.in" "${PROJECT_BINARY_DIR}/generated/build_id.h" @ONLY)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/native.properties.in"
                 "${PROJECT_BINARY_DIR}/resources/org/fettle/internal/native.properties" @ONLY)
endfunction()
