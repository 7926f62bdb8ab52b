//! Paths as a configuration has them: from its own directory.

use std::io;
use std::path::Path;

/// A path as it is written in a configuration in the directory `base`: in full, where it is not
/// below that.
pub(super) fn relative(base: &Path, path: &Path) -> io::Result<String> {
    // An empty path has no absolute form; with a dot it is the working directory.
    let base = std::path::absolute(Path::new(".").join(base))?;
    let path = std::path::absolute(Path::new(".").join(path))?;
    let written = path.strip_prefix(base).unwrap_or(&path).display().to_string();
    Ok(if written.is_empty() { ".".into() } else { written })
}
