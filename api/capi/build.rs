//! Gives the library the name under which programs that were linked with libzmq look for it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libzmq.so.5");
    // Threads of ours may still run when a program unloads it, and have thread-local data to drop.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
