-- What a stage keeps is gone for all stages of the worker; they fail for want of memory, and no row is lost.
-- run: dirty out of its memory limit of 8 MiB|more than 1000000 instructions for one batch
-- others: starved
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  kept = kept or {}
  while true do kept[#kept + 1] = ('x'):rep(1000) .. #kept end
end

return stage
