/**
 * Everyday nouns in the order in which a recipe takes them. Every prefix is diverse, near-synonyms are left out
 * (truck but not pickup truck), and each noun is drawn in all training styles.
 */
export const EVERYDAY: readonly string[] = `
apple, dog, car, house, tree, fish, star, guitar, banana, cat, airplane, umbrella, heart, bicycle, pizza, key,
elephant, book, strawberry, cactus, rocket, crown, soccer ball, snowman, frog, bus, scissors, mushroom, violin, cake, snake, light bulb,
grapes, penguin, sailboat, rainbow, hammer, pig, television, hamburger, rose, bell, octopus, truck, watermelon, balloon, turtle, camera,
lemon, monkey, train, gift, bee, trumpet, cup of coffee, horse, cloud, castle, t-shirt, ice cream cone, pencil, tiger, watch, fallen leaf,

pineapple, cow, helicopter, mountain, doughnut, rabbit, anchor, sunflower, envelope, snail, tractor, skull, cherries, whale, door, bread,
wolf, telephone, tent, keyboard, spider, ship, trophy, tulip, mouse, hourglass, microphone, bear, fire, dress, candle, pear,
ladybug, motorcycle, glasses, corn, dolphin, crayon, snowflake, wrench, baseball, hen, magnifying glass, moon, tomato, bomb, volcano, shoe,
panda, french fries, piano, top hat, peach, traffic light, ghost, lollipop, crocodile, map, eggplant, padlock, camel, gem, palm tree, cookie,

ant, taxi, saxophone, jeans, sheep, lipstick, toilet, package, koala, droplet, computer, tie, mug of beer, church, bird, thermometer,
paintbrush, ring, alien, chili pepper, sun, fountain, ambulance, pill, goat, police car, newspaper, headphone, backpack, bathtub, boot, shell,
chick, chocolate bar, battery, Christmas tree, canoe, tropical fish, syringe, graduation cap, ferris wheel, paperclip, four leaf clover, candy, jack-o-lantern, die, caterpillar, spaghetti,
melon, tornado, dagger, printer, postbox, bouquet, hospital, crescent moon, kitchen knife, radio, poodle, eight ball, microscope, handbag, sushi, thundercloud,

factory, dove, slice of cake, desert island, medal, maple leaf, glass of wine, briefcase, telescope, chestnut, money bag, rooster, kimono, satellite dish, scroll, tram,
pushpin, wastebasket, ice cream, blowfish, fire engine, seedling, bowling ball, ticket, globe, party popper, school, spider web, megaphone, rat, roller coaster, credit card,
sunglasses, alarm clock, honey pot, slot machine, boar, high-heeled shoe, calendar, ruler, wind chime, crystal ball, bikini, video game, electric plug, rugby football, chicken leg, cup of tea,
palette, floppy disk, speedboat, monorail, ox, ribbon, rice ball, flashlight, pot of food, bullseye, sweet potato, cherry blossom, fishing pole, movie camera
`
  .split(",")
  .map((noun) => noun.trim());
