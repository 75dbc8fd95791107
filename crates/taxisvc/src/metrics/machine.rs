//! The figures of the machine under the process: its disk, where the data is in files, when that was backed up, and its clock.

use super::tell_one;
use crate::data_dir::copies::backed_up_at;
use crate::disk::{Disk, Room, Size};
use engine::clock::steady::SteadyClock;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::sync::Arc;

pub(super) struct Machine {
    pub(super) disk: Option<Arc<Disk>>,
    pub(super) clock: Arc<SteadyClock>,
}

impl fmt::Debug for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Machine")
    }
}

impl Collector for Machine {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let wall_ahead_seconds = self.clock.wall_ahead_ms() as f64 / 1e3;
        let help = "How far the machine's clock is ahead of ours";
        tell_one(&mut encoder, ("clock_offset_seconds", help), &ConstGauge::new(wall_ahead_seconds))?;
        let Some(disk) = &self.disk else { return Ok(()) };
        let seen = disk.seen();
        let when = |rooms: &[Room]| f64::from(u8::from(rooms.contains(&seen.room)));
        // Comparisons with what is not a number are false: nobody is alerted by what is not known.
        let bytes = |part: fn(Size) -> u64| seen.size.map_or(f64::NAN, |size| part(size) as f64);
        let gauges = [
            (
                "disk_free_bytes",
                "Room that is left on the disk of the data directory",
                bytes(|size| size.left),
            ),
            ("disk_size_bytes", "Size of the disk of the data directory", bytes(|size| size.whole)),
            ("disk_low", "Whether somebody should make room on the disk", when(&[Room::Low, Room::Out])),
            ("disk_full", "Whether new requests are refused for want of room", when(&[Room::Out])),
        ];
        for (name, help, value) in gauges {
            tell_one(&mut encoder, (name, help), &ConstGauge::new(value))?;
        }
        // Not a number where there never was one: who copies the directory in a way of his own is not alerted.
        let backed_up = backed_up_at(disk.directory()).map_or(f64::NAN, |at| at.0 as f64 / 1e3);
        let help =
            "When the last backup of the data directory was taken in which nothing was found to be broken";
        tell_one(&mut encoder, ("backup_last_success_timestamp_seconds", help), &ConstGauge::new(backed_up))?;
        Ok(())
    }
}
