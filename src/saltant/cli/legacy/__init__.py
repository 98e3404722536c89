"""The commands of `saltant-cli`: things on the server one by one. `saltant` has them too."""
