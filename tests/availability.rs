//! Who is kept waiting by whom: no client by another.

mod held;
