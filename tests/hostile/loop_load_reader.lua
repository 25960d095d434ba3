-- A reader that gives blanks for ever.
-- run: dirty more than 1000000 instructions for one batch|at most 64 KiB
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  load(function() return ' ' end)
  while true do end
end

return stage
