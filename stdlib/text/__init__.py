"""What is said to critics, editors and those who join criticisms: pure functions of data, the asking handed in."""
