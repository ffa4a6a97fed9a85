// Which version of the plugin the server runs.
CALL aesg.version() YIELD version
RETURN version
