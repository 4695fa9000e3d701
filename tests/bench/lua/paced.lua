-- The same load with a pause before each request of a connection.
-- A script of its own: wrk waits for a timer as soon as `delay` exists, whatever it returns.
dofile(os.getenv("LOAD_SCRIPT"))
local pause_ms = tonumber(os.getenv("PAUSE_MS"))
function delay() return pause_ms end
