//! What an operator can ask of the system and do to it: reached by the command line and by `/operator` alike.

pub use language;

pub mod acts;
pub mod events;
pub mod explain;
pub mod letters;

pub mod time;
pub mod words;

mod moment;
