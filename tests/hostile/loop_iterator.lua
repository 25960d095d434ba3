-- An iterator without an end.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  for k in function() return 1 end do end
end

return stage
