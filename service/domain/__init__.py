"""The rules of the house: pure, standard library only, told the time, never asking for it."""
