-- An endless loop while the file is loaded.
-- open: loop_body.lua:3: more than 1000000 instructions for one batch
while true do end

return {process = print}
