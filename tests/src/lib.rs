//! Tests of the whole: what several test files share.
