#pragma once

namespace ferry::emulation {

// Installs the process's SIGSEGV and SIGBUS handler, once. A fault of a kernel ends the kernel with
// cudaErrorIllegalAddress and a diagnosis. A host access to device memory is explained on stderr;
// then, as for every fault that is not ours, the handler that was there before takes over (by
// default: the process dies with that signal).
void install_fault_handler();

// Gives the calling thread a stack for signal handlers, unless it has one: without it a kernel that
// overflows its stack could not be diagnosed.
void install_signal_stack();

}  // namespace ferry::emulation
