-- The same load with a pause before each request of a connection. With PAUSE_AT_RANDOM the pause
-- is exponential, PAUSE_MS on average: wrk's timers count whole milliseconds from the same start, so
-- that equal pauses let all connections send at the same moment, again and again.
-- A script of its own: wrk waits for a timer as soon as `delay` exists, whatever it returns.
dofile(os.getenv("LOAD_SCRIPT"))
local pause_ms = tonumber(os.getenv("PAUSE_MS"))
if os.getenv("PAUSE_AT_RANDOM") == "1" then
  math.randomseed(os.time())
  function delay() return math.floor(-pause_ms * math.log(1 - math.random()) + 0.5) end
else
  function delay() return pause_ms end
end
