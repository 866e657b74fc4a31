#include <algorithm>
#include <array>

#include "placement/report/facts.h"

namespace ferry {

std::span<const ReasonText> reason_texts() {
  static constexpr std::array<ReasonText, 16> kTexts{{
      {"requested", "It runs on the device that was asked for.", "Nothing needs to change."},
      {"pinned", "A rule of the request put it there.",
       "Change or remove the rule (--pin, --assign, --map) to let Ferry choose."},
      {"cheaper_here", "On the other device it and the copies it would need take longer.",
       "Nothing needs to change; larger sizes (--dim) may turn the comparison round, and --pin "
       "overrules it."},
      {"no_kernel", "The requested device has no kernel for this operator.",
       "With -d DEVICE,cpu it runs on the CPU. To have it on the device, export the model without "
       "this operator or register a kernel of your own; 'ferry ops OP' lists what there is."},
      {"opset", "There is a kernel, but for other versions of this operator.",
       "Export the model with an opset that the kernel covers."},
      {"dtype", "There is a kernel, but not for this element type.",
       "Convert the model, or cast before and after this node, to a type that the kernel has."},
      {"attribute", "There is a kernel, but not for this value of an attribute.",
       "Export the model with an attribute that the kernel covers; the detail names it."},
      {"rank_or_layout", "There is a kernel, but not for this rank or layout.",
       "Reshape around this node to a rank that the kernel covers."},
      {"size_limit", "There is a kernel, but not for sizes this large.",
       "Lower the size that the detail names, for instance with a smaller batch."},
      {"host_value", "It makes a small value out of sizes; a CPU does that sooner, by design.",
       "Nothing needs to change: it costs next to nothing and its result is needed on the host."},
      {"host_port", "Its only reader takes it on the host, so it is made there.",
       "Nothing needs to change."},
      {"control_flow",
       "The host decides what of its bodies runs; their nodes have devices of their own.",
       "Nothing needs to change; --pin subgraph:PATH=DEVICE moves what is in its bodies."},
      {"string_type", "It works on strings, which live on the CPU.",
       "Keep tokenizers and other work on strings apart from the model, or allow the CPU."},
      {"memory_limit", "The device's memory limit leaves no room for it.",
       "Raise --memory-limit, lower the batch, or use smaller types."},
      {"library_missing", "Its kernel needs a library of the vendor that is not there.",
       "Run 'ferry doctor': it says which library was looked for, and where."},
      {"device_missing", "The device is not in this machine.",
       "Run 'ferry devices' for those that are, or plan with --assume."},
  }};
  return kTexts;
}

ReasonText reason_text(std::string_view code) {
  const auto texts = reason_texts();
  const auto at = std::ranges::find(texts, code, &ReasonText::code);
  return at == texts.end() ? ReasonText{code, "", ""} : *at;
}

std::span<const CopyKind> copy_kinds() {
  static constexpr std::array<CopyKind, 7> kKinds{{
      {"feed", "An input of the model that this device reads."},
      {"weight", "A weight, uploaded once."},
      {"activation", "Made on one device and read on another."},
      {"output", "Delivered to the caller."},
      {"stream", "A weight that has no room on the device and is brought there in every run."},
      {"read_back", "A count that the size of an output depends on."},
      {"table", "A table made on the host for given sizes."},
  }};
  return kKinds;
}

}  // namespace ferry
