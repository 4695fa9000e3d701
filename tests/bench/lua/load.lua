-- One load for wrk: tokens and bodies in turn, a fresh id in place of every {id} of a body.
-- Arguments: method, path, token file or "-", file of body templates or "-", id prefix.
-- At the end one line of JSON goes to standard output after wrk's own words.
local tokens, bodies, made = {}, nil, {}
local count, prefix, method, path = 0, "", "GET", "/"

local function read_lines(file)
  local found = {}
  for line in io.lines(file) do found[#found + 1] = line end
  return found
end

local function split(template)
  local found = {}
  local from = 1
  while true do
    local first, last = template:find("{id}", from, true)
    found[#found + 1] = template:sub(from, (first or 0) - 1)
    if not first then return found end
    from = last + 1
  end
end

local function with_token(token, headers)
  if token ~= "" then headers["Authorization"] = "Bearer " .. token end
  return headers
end

function init(args)
  method, path = args[1], args[2]
  tokens = args[3] == "-" and { "" } or read_lines(args[3])
  prefix = args[5]
  if args[4] ~= "-" then
    bodies = {}
    for n, template in ipairs(read_lines(args[4])) do bodies[n] = split(template) end
    return
  end
  for n, token in ipairs(tokens) do made[n] = wrk.format(method, path, with_token(token, {})) end
end

function request()
  count = count + 1
  local turn = count % #tokens + 1
  if not bodies then return made[turn] end
  local id = prefix .. string.format("%012x", count)
  local headers = { ["Content-Type"] = "application/json", ["Idempotency-Key"] = id }
  local body = table.concat(bodies[count % #bodies + 1], id)
  return wrk.format(method, path, with_token(tokens[turn], headers), body)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"elapsed_us":%d,"p50_us":%d,"p99_us":%d,"worst_us":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    latency.max, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
