"""What a meeting is: words, states and rules. No I/O, no clock, standard library only."""
