# cmake -DINPUT=file -DOUTPUT=file.cc -DNAME=identifier -P Embed.cmake
# Writes a C++ file that defines ferry::embedded::NAME, the bytes of INPUT.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT}
  "#include <string_view>\n"
  "namespace ferry::embedded {\n"
  "static const unsigned char bytes[] = {${bytes}};\n"
  "extern const std::string_view ${NAME};\n"
  "const std::string_view ${NAME}(reinterpret_cast<const char*>(bytes), sizeof bytes);\n"
  "}  // namespace ferry::embedded\n")
