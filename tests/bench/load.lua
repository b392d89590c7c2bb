-- What wrk asks for. Arguments: the path with its query, then for codes or pages: kind, first, count.
local path, kind, first, count

-- As `code_of` in data.py: neighbours in number are far apart in the index.
local function code(n)
   local scattered = (n * 668265263) % 4294967296
   return string.format("XO%04X%04X", math.floor(scattered / 65536), scattered % 65536)
end

local function lookup()
   return wrk.format("GET", path .. "&code=" .. code(first + math.random(0, count - 1)))
end

local function page()
   return wrk.format("GET", path .. "&page=" .. (first + math.random(0, count - 1)))
end

local function apply()
   local n = first
   first = first + 1
   return wrk.format("GET", path .. "&applycoupon=" .. code(n) .. "&id=" .. n .. "&client_id=" .. n)
end

function init(arguments)
   path, kind = arguments[1], arguments[2]
   first, count = tonumber(arguments[3]), tonumber(arguments[4])
   wrk.path = path
   math.randomseed(os.time())
   if kind == "lookup" then
      request = lookup
   elseif kind == "apply" then
      request = apply
   elseif kind == "pages" then
      request = page
   end
end

function done(summary)
   local lost = summary.errors
   io.write(string.format(
      "TOTAL %d %d %d %d\n", summary.requests, summary.duration, summary.bytes,
      lost.connect + lost.read + lost.write + lost.status + lost.timeout
   ))
end
