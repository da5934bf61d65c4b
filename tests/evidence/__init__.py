"""Other tools' files into the evidence store. Figures in the files here are invented; the forms are the tools' own."""
