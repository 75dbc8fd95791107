//! The messages of the topic: their bytes, what is read of them, and what each service does about it.

mod desk;
mod document;
mod golden;
mod odd;
mod original;
mod round_trip;
