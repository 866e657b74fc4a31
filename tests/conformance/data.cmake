# Whole models: ONNX's backend test data, and the zoo of exported models. Both are found, not kept in
# the repository:
#
#   FERRY_SHARED             a folder with conformance/onnx-backend-tests.tar.xz (1951 cases) and
#                            zoo/zoo.tar.xz, beside the sources where there is one
#   FERRY_CONFORMANCE_DATA   what fetch.py printed (1914 cases), for when the first is not there
#
# Afterwards FERRY_CONFORMANCE_CASES and FERRY_ZOO are folders, or empty.
set(FERRY_SHARED "${PROJECT_SOURCE_DIR}/../shared" CACHE PATH "Folder with archives of test models")
set(FERRY_CONFORMANCE_DATA "${PROJECT_SOURCE_DIR}/.cache/onnx-1.22.0" CACHE PATH
    "Backend test data that tests/conformance/fetch.py has unpacked")

# Unpacks ARCHIVE once into the build folder and sets VARIABLE to where.
function(unpack_models variable archive name)
  set(folder ${CMAKE_BINARY_DIR}/models/${name})
  if(NOT EXISTS ${folder})
    message(STATUS "Unpacking ${archive}")
    file(ARCHIVE_EXTRACT INPUT ${archive} DESTINATION ${folder}.part)
    file(RENAME ${folder}.part ${folder})
  endif()
  set(${variable} ${folder} PARENT_SCOPE)
endfunction()

set(FERRY_CONFORMANCE_CASES "")
set(FERRY_ZOO "")
if(EXISTS ${FERRY_SHARED}/conformance/onnx-backend-tests.tar.xz)
  unpack_models(FERRY_CONFORMANCE_CASES
                ${FERRY_SHARED}/conformance/onnx-backend-tests.tar.xz conformance)
  set(lists passing.txt passing_newer.txt)
elseif(EXISTS ${FERRY_CONFORMANCE_DATA})
  set(FERRY_CONFORMANCE_CASES ${FERRY_CONFORMANCE_DATA})
  set(lists passing.txt)
else()
  message(STATUS "No backend test data: tests/conformance/fetch.py gets it")
endif()
if(EXISTS ${FERRY_SHARED}/zoo/zoo.tar.xz)
  unpack_models(FERRY_ZOO ${FERRY_SHARED}/zoo/zoo.tar.xz zoo)
endif()
