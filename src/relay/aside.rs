//! Computations that take long, where they keep nobody else waiting: the threads that serve connections serve many.

use std::io;

/// From how many bytes on a message is worked on aside: zlib takes milliseconds from here on.
const LARGE: usize = 256 * 1024;

/// Runs `work` on something of `size` bytes, on another thread when that is much.
///
/// # Errors
/// There is no such thread any more: doorward stops.
pub(crate) async fn aside<T: Send + 'static>(size: usize, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    if size < LARGE {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_large_work_leaves_the_thread() {
        let here = std::thread::current().id();
        assert_eq!(aside(LARGE - 1, || std::thread::current().id()).await.unwrap(), here);
        assert_ne!(aside(LARGE, || std::thread::current().id()).await.unwrap(), here);
    }
}
