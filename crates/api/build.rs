//! Has the pages taken up anew when one of them changes, is added or goes away.

fn main() {
    println!("cargo::rerun-if-changed=pages");
}
