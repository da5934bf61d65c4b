"""OpenVINO: preparers on NNCF and optimum-intel, runners of graphs and of language models."""
