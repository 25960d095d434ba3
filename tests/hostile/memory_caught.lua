-- The error of memory is caught, and more is asked for.
-- run: dirty more than 1000000 instructions for one batch|out of its memory limit of 8 MiB
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local t = {}
  while true do pcall(function() while true do t[#t + 1] = ('x'):rep(1 << 16) .. #t end end) end
end

return stage
