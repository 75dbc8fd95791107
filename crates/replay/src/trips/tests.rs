//! What is read from files: the samples with all their dirt, and files that are none.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

const NEW_YORK: &str =
    "pickup_at,dropoff_at,passengers,trip_miles,pickup_zone,dropoff_zone,payment_type,fare_usd,total_usd\n";

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample").join(name)
}

fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn rows(path: &Path) -> Vec<Row> {
    let mut reader = TripReader::open(path).unwrap();
    std::iter::from_fn(|| reader.next().unwrap()).collect()
}

/// The first error of a file: at its opening or at one of its rows.
fn failure(path: &Path) -> String {
    let mut reader = match TripReader::open(path) {
        Ok(reader) => reader,
        Err(error) => return format!("{error:#}"),
    };
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return "no failure".to_owned(),
            Err(error) => return format!("{error:#}"),
        }
    }
}

/// What is not plain in a file, one line each: notes, distances beyond 100 km or none, unreadable rows.
fn dirt(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        match row {
            Row::Unreadable(row) => writeln!(text, "line {} {}", row.line, row.reason).unwrap(),
            Row::Trip(trip) if !trip.notes.is_empty() => {
                writeln!(text, "trip {} {}", trip.number, trip.notes).unwrap();
            }
            Row::Trip(_) => {}
        }
    }
    text
}

#[test]
fn the_new_york_sample_shows_all_its_dirt() {
    let rows = rows(&sample("nyc.csv"));
    assert_eq!(rows.len(), 39);
    assert_eq!(
        dirt(&rows),
        "trip 8 negativeFare\n\
         trip 11 unknownZone\n\
         line 14 pickup_at `2030-05-04 08:61:00` is no time like 2022-01-01 00:00:08\n\
         trip 15 unknownZone\n\
         trip 18 dropoffNotAfterPickup\n\
         trip 21 dropoffNotAfterPickup\n\
         line 28 has 2 fields where the header has 9\n\
         trip 28 negativeFare+unknownZone\n\
         trip 31 unknownZone\n\
         line 34 trip_miles `n/a` is no decimal number\n"
    );
    let Row::Trip(first) = &rows[0] else { panic!("the first row is a trip") };
    assert_eq!(first.distance.to_kilometres(), "14.53237632");
    assert_eq!(first.dropoff_at.unwrap() - first.pickup_at, 22 * 60 + 18);
}

#[test]
fn the_chicago_sample_shows_all_its_dirt() {
    let rows = rows(&sample("chicago.csv"));
    assert_eq!(rows.len(), 32);
    assert_eq!(
        dirt(&rows),
        "trip 7 noPlace\n\
         trip 10 dropoffNotAfterPickup\n\
         line 12 trip_miles `` is no decimal number\n\
         trip 14 dropoffNotAfterPickup\n\
         trip 17 noPlace\n\
         line 21 has a quote that is not closed\n\
         trip 21 negativeFare\n\
         trip 27 dropoffNotAfterPickup\n"
    );
    let Row::Trip(first) = &rows[0] else { panic!("the first row is a trip") };
    assert_eq!(first.pickup_at, 1_903_860_000);
    assert_eq!(first.dropoff_at, Some(1_903_861_140));
}

#[test]
fn a_gzipped_file_reads_as_the_plain_one() {
    let plain = std::fs::read(sample("nyc.csv")).unwrap();
    let mut two_members = gzipped(&plain[..1000]);
    two_members.extend(gzipped(&plain[1000..]));
    for (name, bytes) in
        [("nyc.csv.gz", gzipped(&plain)), ("no-ending", gzipped(&plain)), ("two.gz", two_members)]
    {
        let (_folder, path) = file(name, &bytes);
        assert_eq!(rows(&path), rows(&sample("nyc.csv")), "{name}");
    }
}

#[test]
fn columns_are_found_by_their_names_in_any_order() {
    let text = "\u{feff}fare_usd, trip_miles,dropoff_zone,pickup_zone,extra,dropoff_at,pickup_at\r\n\
                12.5,1.5,\"263\",1,\"a, \"\"b\"\"\",2022-01-01 00:01:00,2022-01-01 00:00:00\r\n\
                ,2,263,1,,,2022-01-01 00:00:00";
    let (_folder, path) = file("columns.csv", text.as_bytes());
    let rows = rows(&path);
    assert_eq!(rows.len(), 2);
    assert_eq!(dirt(&rows), "trip 2 dropoffNotAfterPickup\n");
}

#[test]
fn a_row_that_is_no_trip_costs_one_line_and_says_why() {
    let good = "2022-01-01 00:00:08,2022-01-01 00:14:14,1.0,7.94,138,255,1,23.0,30.41\n";
    for (bad, reason) in [
        (b"\n".to_vec(), "is empty"),
        (b"\xff\xfe,\n".to_vec(), "is not UTF-8"),
        (vec![b'x'; 200_000], "is longer than 65536 bytes"),
        (good.replace("138", "Queens").into_bytes(), "pickup_zone `Queens` is no zone's number"),
        (good.replace("23.0", "free").into_bytes(), "fare_usd `free` is no sum of money"),
        (good.replace("2022-01-01 00:00:08", "").into_bytes(), "pickup_at is empty"),
        (b"\"open\n".to_vec(), "has a quote that is not closed"),
        (b"\"open\"x\n".to_vec(), "has text after a closing quote"),
    ] {
        let mut bytes = NEW_YORK.as_bytes().to_vec();
        bytes.extend(&bad);
        if !bad.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        bytes.extend(good.as_bytes());
        let (_folder, path) = file("bad.csv", &bytes);
        let rows = rows(&path);
        assert_eq!(dirt(&rows), format!("line 2 {reason}\n"));
        assert_eq!(rows.len(), 2, "{reason}");
    }
}

#[test]
fn a_file_that_is_none_is_refused_with_a_reason() {
    let whole = gzipped(&std::fs::read(sample("nyc.csv")).unwrap());
    let mut damaged = whole.clone();
    let last = damaged.len() - 8;
    damaged[last] ^= 0xff;
    for (name, bytes, reason) in [
        ("empty.csv", Vec::new(), "the file is empty"),
        ("plain.csv.gz", NEW_YORK.as_bytes().to_vec(), "named .gz and is not gzip"),
        ("cut.csv.gz", whole[..whole.len() / 2].to_vec(), "the gzip data breaks off"),
        ("damaged.csv.gz", damaged, "the gzip data is damaged"),
        (
            "other.csv",
            b"a,b,c\n1,2,3\n".to_vec(),
            "Expected are the columns pickup_at,dropoff_at,trip_miles,",
        ),
        (
            "places.csv",
            b"trip_start_timestamp,trip_seconds,pickup_latitude,pickup_longitude\n".to_vec(),
            "a distance is not made up from coordinates",
        ),
    ] {
        let (_folder, path) = file(name, &bytes);
        let failure = failure(&path);
        assert!(failure.contains(reason), "{name}: {failure}");
        assert!(failure.contains(name) || failure.contains("line"), "{name}: {failure}");
    }
    let missing = failure(Path::new("no/such/file.csv"));
    assert!(missing.contains("cannot read the trips in no/such/file.csv"), "{missing}");
}
