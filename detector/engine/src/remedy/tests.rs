//! Tests of the commands and queries of whole alerts.
