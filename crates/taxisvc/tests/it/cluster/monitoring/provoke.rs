//! Every alert is brought about.
