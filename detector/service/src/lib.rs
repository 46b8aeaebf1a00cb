//! The async shell: sources, the loop, sinks, formats.
