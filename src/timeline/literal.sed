# Makes each line of a file a string literal of C.
s/[\\"]/\\&/g
s/^/"/
s/$/\\n"/
