"""What a meeting is: words, states and rules. No I/O, no clock of its own, standard library only."""
