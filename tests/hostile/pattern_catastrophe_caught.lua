-- The error of a pattern that does not end is caught, and the next one searched for.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  while true do pcall(string.gsub, ('a'):rep(1000), ('a?'):rep(60) .. ('a'):rep(60) .. 'b', function() end) end
end

return stage
