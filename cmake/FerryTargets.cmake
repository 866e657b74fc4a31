# How the folders become targets.
#
#   ferry_folder(NAME [SOURCES ...] [LINK ...])  one object library, ferry_NAME, of a source folder
#   ferry_library()                              libferry (public symbols only) and ferry_internal,
#                                                the same objects as a static library for the tests
#   ferry_test(NAME SOURCES ... [LINK ...] [LABELS ...])
#                                                one GoogleTest program, registered with ctest

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(FERRY_CCACHE ccache)
if(FERRY_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${FERRY_CCACHE})
endif()
find_program(FERRY_MOLD mold)
if(FERRY_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Designated initialisers leave fields out on purpose; g++ 12 warns of memcpy and array bounds in its
# own inlined std::string and std::vector.
add_compile_options(-Wall -Wextra -Wshadow -Wno-unused-parameter -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  add_compile_options(-Wno-restrict -Wno-array-bounds)
endif()
option(FERRY_WERROR "Warnings are errors" ${PROJECT_IS_TOP_LEVEL})
if(FERRY_WERROR)
  add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-Werror>)
endif()
# Input is hostile: a release checks what is cheap to check, and links so that little can be
# overwritten.
set(release $<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:C,CXX>>)
add_compile_options($<${release}:-fstack-protector-strong> $<${release}:-fcf-protection>)
add_compile_definitions($<${release}:_GLIBCXX_ASSERTIONS> $<${release}:_FORTIFY_SOURCE=2>)
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
if(FERRY_SANITIZE)
  add_compile_options(-fsanitize=${FERRY_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${FERRY_SANITIZE})
endif()

set(FERRY_FOLDERS "" CACHE INTERNAL "")

function(ferry_folder name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(ferry_${name} OBJECT ${ARG_SOURCES})
  target_include_directories(ferry_${name} PUBLIC ${PROJECT_SOURCE_DIR}
                                                  ${PROJECT_SOURCE_DIR}/include)
  target_compile_definitions(ferry_${name} PRIVATE FERRY_BUILDING)
  target_link_libraries(ferry_${name} PUBLIC ${ARG_LINK})
  set(FERRY_FOLDERS ${FERRY_FOLDERS} ferry_${name} CACHE INTERNAL "")
endfunction()

function(ferry_library)
  add_library(ferry)
  add_library(ferry::ferry ALIAS ferry)
  add_library(ferry_internal STATIC)
  foreach(target ferry ferry_internal)
    target_link_libraries(${target} PRIVATE ${FERRY_FOLDERS})
  endforeach()
  # Third-party code linked statically into libferry stays invisible to the application.
  target_link_options(ferry PRIVATE -Wl,--exclude-libs,ALL)
  target_include_directories(ferry PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                          $<INSTALL_INTERFACE:include>)
  target_include_directories(ferry_internal PUBLIC ${PROJECT_SOURCE_DIR}
                                                   ${PROJECT_SOURCE_DIR}/include)
  target_compile_features(ferry PUBLIC cxx_std_20)
  set_target_properties(ferry PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0)
endfunction()

function(ferry_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ferry_internal GTest::gmock GTest::gtest_main ${ARG_LINK})
  add_test(NAME ${name} COMMAND ${name})
  set_property(TEST ${name} PROPERTY LABELS unit ${ARG_LABELS})
endfunction()

# ferry_embed(TARGET NAME FILE): FILE's bytes as std::string_view ferry::embedded::NAME in TARGET.
function(ferry_embed target name file)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded_${name}.cc)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${file} -DOUTPUT=${output} -DNAME=${name}
            -P ${PROJECT_SOURCE_DIR}/cmake/Embed.cmake
    DEPENDS ${file} ${PROJECT_SOURCE_DIR}/cmake/Embed.cmake VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
