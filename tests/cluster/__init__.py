"""Three nodes of MariaDB Galera and two hosts of promobridge, with nodes killed under them."""
