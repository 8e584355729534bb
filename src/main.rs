//! The `pillarbox` program: flags to a run, a run to an exit code; nothing else.
fn main() -> std::process::ExitCode {
    pillarbox::cli::main()
}
