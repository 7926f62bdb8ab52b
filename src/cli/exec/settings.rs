//! Programs that no variable tells whom to trust, but one where their settings are: they are given
//! settings that say so, beside or after the caller's own.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;

use super::values::Variables;
use crate::cli::CliError;
use crate::cli::directory::Directory;

/// Writes settings that name this file of certificates, and gives the variables for them.
pub(super) fn make(
    authorities: &OsStr,
    caller: &Variables,
    directory: &Directory,
) -> Result<[(&'static str, OsString); 2], CliError> {
    let authorities = authorities.to_string_lossy();
    let write = |name: &str, text: String| {
        let path = directory.join(name);
        fs::write(&path, text).map_err(|error| CliError::at(&path, &error)).map(|()| path)
    };
    // wget reads one file of the user's.
    let own = fs::read_to_string(wgetrc(caller)).unwrap_or_default();
    let wgetrc = write("wgetrc", format!("{own}\nca_certificate = {authorities}\n"))?;
    // PHP reads every such file of several directories; an empty one is its own.
    let lines = ["curl.cainfo", "openssl.cafile"].map(|key| format!("{key} = \"{authorities}\"\n"));
    write("countersign.ini", lines.concat())?;
    let mut directories = caller.get(OsStr::new(PHP)).cloned().unwrap_or_default();
    directories.push(":");
    directories.push(directory.join(""));
    Ok([(WGET, wgetrc.into_os_string()), (PHP, directories)])
}

/// The caller's settings of wget.
fn wgetrc(caller: &Variables) -> PathBuf {
    let named = caller.get(OsStr::new(WGET)).map(PathBuf::from);
    let home = || caller.get(OsStr::new("HOME")).map(|home| PathBuf::from(home).join(".wgetrc"));
    named.or_else(home).unwrap_or_default()
}

const WGET: &str = "WGETRC";
const PHP: &str = "PHP_INI_SCAN_DIR";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_callers_stay_and_come_first() {
        let directory = Directory::make("test").expect("a directory");
        fs::write(directory.join(".wgetrc"), "timeout = 3").expect("a file");
        fs::write(directory.join("other"), "timeout = 4").expect("a file");
        let home = ("HOME".into(), directory.join("").into_os_string());
        let own = ("WGETRC".into(), directory.join("other").into_os_string());
        let php = ("PHP_INI_SCAN_DIR".into(), "/etc/php.d".into());
        for (caller, timeout, scanned) in [
            (vec![], "", ""),
            (vec![home.clone()], "timeout = 3", ""),
            (vec![home, own, php], "timeout = 4", "/etc/php.d"),
        ] {
            let made = make(OsStr::new("/a.pem"), &caller.into_iter().collect(), &directory);
            let [(_, wgetrc), (_, directories)] = made.expect("files");
            let text = fs::read_to_string(wgetrc).expect("it is there");
            assert_eq!(text, format!("{timeout}\nca_certificate = /a.pem\n"));
            let place = directory.join("");
            assert_eq!(directories, format!("{scanned}:{}", place.display()).as_str());
            let ini = fs::read_to_string(place.join("countersign.ini")).expect("it is there");
            assert_eq!(ini, "curl.cainfo = \"/a.pem\"\nopenssl.cafile = \"/a.pem\"\n");
        }
    }
}
