//! What people give on the command line, read once: a wrong one is told with what is expected there.

use std::net::SocketAddr;
use std::path::PathBuf;

use url::Url;

/// A folder that is there: else it is wrong use, and nothing was found.
///
/// # Errors
/// Why it is none.
pub fn folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match std::fs::metadata(&path) {
        Ok(found) if found.is_dir() => Ok(path),
        Ok(_) => Err("this is a file, and a folder is expected here".to_owned()),
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => Err("there is no such folder".to_owned()),
        Err(problem) => Err(format!("this folder cannot be read: {problem}")),
    }
}

/// Where to listen.
///
/// # Errors
/// What is expected.
pub fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an address and a port up to 65535 are expected here, such as 127.0.0.1:8080".to_owned())
}

/// The address of a model's server.
///
/// # Errors
/// What is expected.
pub fn model(text: &str) -> Result<Url, String> {
    http(text).ok_or_else(|| "an address is expected here, such as http://127.0.0.1:11434/v1".to_owned())
}

/// The address of a running server, as it was given.
///
/// # Errors
/// What is expected.
pub fn server(text: &str) -> Result<String, String> {
    match http(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("an address is expected here, such as http://127.0.0.1:8080".to_owned()),
    }
}

fn http(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_what_is_expected() {
        for wrong in ["foo", "127.0.0.1", "127.0.0.1:99999", ":8080"] {
            assert!(listen(wrong).unwrap_err().contains("such as 127.0.0.1:8080"), "{wrong}");
        }
        for wrong in ["foo", "127.0.0.1:11434", "ftp://models.example", "http://"] {
            assert!(model(wrong).unwrap_err().contains("such as http://"), "{wrong}");
            assert!(server(wrong).unwrap_err().contains("such as http://127.0.0.1:8080"), "{wrong}");
        }
        assert!(listen("[::1]:0").is_ok() && model("http://127.0.0.1:11434/v1").is_ok());
        assert_eq!(folder("/no/such/folder"), Err("there is no such folder".to_owned()));
        assert!(
            folder(file!()).is_err_and(|why| why.contains("a folder is expected")) || !PathBuf::from(file!()).exists()
        );
    }
}
