#pragma once

namespace sallyport::net {

/// Gives OpenSSL the buffers of its TLS records from a few that each thread keeps. An idle connection owns none (SSL_MODE_RELEASE_BUFFERS),
/// so every record otherwise costs the allocator two blocks of 16 KiB to find and to give back.
/// Call it before anything else of OpenSSL, once; later it does nothing.
/// Threads: any; each has its own, until it ends.
void keep_record_buffers();

}  // namespace sallyport::net
