//! Writing files that nobody else may read, without ever losing one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;

use crate::cli::error::CliError;

/// Creates a file of mode 0600 that is on the disk when this returns. An existing file is an
/// error: it may be the only copy of a key.
pub(crate) fn create_private(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    create_new(path, bytes, 0o600)
}

/// The same with mode 0644, for what others may read.
pub(crate) fn create_public(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    create_new(path, bytes, 0o644)
}

fn create_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CliError> {
    let shown = path.display();
    create(path, bytes, mode).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            let fix = "choose another name, or move the old file away: keys are never overwritten";
            return CliError::failed(format!("{shown} exists already"), fix);
        }
        if error.kind() == io::ErrorKind::NotFound {
            let dir = parent(path);
            let fix = format!("mkdir -m 700 -p {}", dir.display());
            return CliError::failed(format!("{shown} is in a directory that does not exist"), fix);
        }
        CliError::failed(format!("{shown} cannot be written: {error}"), "choose another place")
    })
}

/// Puts new contents into a file at once: whoever opens it sees the old or the new, also after a
/// crash. A symbolic link stays, and what it points to is replaced.
pub(super) fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let failed = |error: io::Error| {
        CliError::failed(
            format!("{} cannot be replaced: {error}", path.display()),
            "write to another place with --out",
        )
    };
    let target = fs::canonicalize(path).map_err(failed)?;
    let temporary = beside(&target);
    create(&temporary, bytes, 0o600).map_err(failed)?;
    if let Err(error) = fs::rename(&temporary, &target) {
        // Nothing can be done if the removal fails too; the first error says more.
        let _ = fs::remove_file(&temporary);
        return Err(failed(error));
    }
    sync_dir(&target).map_err(failed)
}

fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    let mut file = options.open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // A torn key file would be in the way of the next try.
        let _ = fs::remove_file(path);
    }
    written?;
    sync_dir(path)
}

/// Makes a new name in a directory last. Only Unix opens directories.
fn sync_dir(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(parent(path))?.sync_all()?;
    }
    Ok(())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// A name in the same directory that nobody else uses.
fn beside(path: &Path) -> PathBuf {
    let mut random = [0; 8];
    rand::fill(&mut random).expect("the system has random numbers");
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", base16ct::lower::encode_string(&random)));
    path.with_file_name(name)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_is_created_for_its_owner_alone_and_only_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pem");
        create_private(&path, b"one").unwrap();
        assert_eq!(mode(&path), 0o600);
        let error = create_private(&path, b"two").unwrap_err();
        assert_eq!(error.what, format!("{} exists already", path.display()));
        assert_eq!(fs::read(&path).unwrap(), b"one");
        let error = create_private(&dir.path().join("no/a.pem"), b"one").unwrap_err();
        assert_eq!(error.fix.unwrap(), format!("mkdir -m 700 -p {}/no", dir.path().display()));
    }

    #[test]
    fn a_dangling_link_counts_as_a_file() {
        let dir = tempfile::tempdir().unwrap();
        symlink("elsewhere", dir.path().join("a.pem")).unwrap();
        assert!(create_private(&dir.path().join("a.pem"), b"one").is_err());
        assert!(!dir.path().join("elsewhere").exists());
    }

    #[test]
    fn replacing_tightens_the_mode_keeps_links_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("a.pem"), dir.path().join("link"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        symlink("a.pem", &link).unwrap();
        replace_private(&link, b"new").unwrap();
        assert_eq!((fs::read(&path).unwrap().as_slice(), mode(&path)), (&b"new"[..], 0o600));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
