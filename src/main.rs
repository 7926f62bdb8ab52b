//! Arguments → command → exit code.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request has some forty allocations, most of them given back by the thread that took them.
#[global_allocator]
static HEAP: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    countersign::cli::main()
}
