//! Where the data is when nobody says: where an earlier version has it already, else where the platform wants it.

use etcetera::BaseStrategy;
use std::path::{Path, PathBuf};

/// Where earlier versions kept it, in the working directory.
const HERE: &str = "taxisvc-data";
const NAME: &str = "taxisvc";

pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) why: &'static str,
}

pub(super) fn of_data() -> Place {
    let platform = etcetera::base_strategy::choose_native_strategy().ok();
    choose(Path::new(HERE), platform.map(|platform| platform.data_dir()))
}

fn choose(here: &Path, platform: Option<PathBuf>) -> Place {
    let stay = |why| Place { path: here.to_owned(), why };
    if here.is_dir() {
        return stay("it is there already");
    }
    match platform {
        Some(platform) => Place { path: platform.join(NAME), why: "the platform's place for data" },
        None => stay("no home directory is known"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_already_goes_before_the_platforms_place() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join(HERE);
        let chosen = |platform: Option<&str>| choose(&here, platform.map(PathBuf::from)).path;
        assert_eq!(chosen(Some("/share")), Path::new("/share/taxisvc"));
        assert_eq!(chosen(None), here);
        std::fs::write(&here, "no directory").unwrap();
        assert_eq!(chosen(Some("/share")), Path::new("/share/taxisvc"));
        std::fs::remove_file(&here).unwrap();
        std::fs::create_dir(&here).unwrap();
        assert_eq!(chosen(Some("/share")), here);
    }
}
