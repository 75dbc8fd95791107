//! What an operator can ask of the system and do to it: reached by the command line and by `/operator` alike.

pub mod language;
