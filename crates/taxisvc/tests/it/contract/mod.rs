//! What integrators are told, against the binary: every answer as the document says, and every example as it is shown.

mod answers;
mod document;
mod guide;
mod tables;
